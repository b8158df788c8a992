"""The runner on this machine: the steps of the pipeline, executed one after the other."""
