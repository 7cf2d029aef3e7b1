"""A model's predictor over a runtime that does what a test wants; no tests here."""

from __future__ import annotations

from server.explanation import explainable
from server.features import schema_from_manifest
from server.model import Runtime
from server.predictor import Explainer, ModelPredictor
from server.settings import Settings


def over(model: ModelPredictor, runtime: Runtime) -> ModelPredictor:
    """Give a predictor of the same model, which cannot explain, over another runtime."""
    settings = Settings()
    return ModelPredictor(
        model.manifest,
        runtime,
        schema_from_manifest(model.manifest, settings.max_rows, with_kernel=True),
        explainer=Explainer(
            model.manifest, lambda: explainable(None), max_rows=settings.max_explained_rows
        ),
        inline_rows=settings.inline_rows,
        batches=model.batches,
        runtime_name=model.runtime_name,
    )
