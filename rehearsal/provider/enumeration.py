"""Enumerations as botocore's service models have them; what the real provider validates against."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape, StringShape


@cache
def service_model(service: str) -> ServiceModel:
    """The installed botocore's description of a service."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def shape_named(service: str, name: str) -> Shape:
    """One shape of a service's API by name."""
    return service_model(service).shape_for(name)


@cache
def shape_choices(service: str, name: str) -> tuple[str, ...]:
    """The values of an enumeration, e.g. (`sagemaker`, `ProductionVariantInstanceType`)."""
    shape = shape_named(service, name)
    if not isinstance(shape, StringShape):
        raise TypeError(f"{service} {name} is a {shape.type_name}, not a text with choices")
    return tuple(shape.enum)
