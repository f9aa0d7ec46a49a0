"""The dialect of AUTOMATIC1111's web UI: `/sdapi/v1`, for programs that speak nothing else."""
