"""Benchmarks: generators with a seed, peers as small honest scripts, and a runner that interleaves them."""
