"""From a URL or a path to a file in the spool: whole, hashed, resumable, and never from where it should not come."""
