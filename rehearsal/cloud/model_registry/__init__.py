"""The Model Registry: groups of model packages, their versions and who approved them."""
