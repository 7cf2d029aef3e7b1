"""The resource types and invokes of the stand-ins, one module per service; never any machinery."""
