"""The scenarios of the benchmarks, a file each: what is compared, and how one run of it goes."""
