"""How a source differs from the version published last, and which difference somebody has accepted."""
