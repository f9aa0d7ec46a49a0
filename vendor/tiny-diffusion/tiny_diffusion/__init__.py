"""A small diffusion model without a trained network: see docs/bundled-engine.md."""
