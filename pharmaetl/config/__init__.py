"""What a dataset's `config/dataset.json` may say, and the errors that tell where it says something else."""
