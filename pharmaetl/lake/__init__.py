"""What lies in a lake and how it gets there: storage, layout, documents, the publish log, run records."""
