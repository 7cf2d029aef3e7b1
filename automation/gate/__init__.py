"""The packaging gate: what has to be true before anything of a model is uploaded.

Start reading at `packaging.py`, which has the whole way on one screen:

- where a model comes from: `origin`, then `training`, or `model_data` and `estimator_file` with
  `sample_rows`; `own_artifact` for what was packaged before, `inference_script` for what goes along
- what it is asked: `features`, `feature_facts`, `equality` and `boundaries`; how one compares:
  `answers`
- what it becomes: `conversion`, the `*_converter` modules that write parts of its graph (with
  `nested_estimators`, `categorical_splits`, `coupled_probabilities`), `forest` for the compiled
  kernel, `sklearn_form`; `description` and `golden` say what it is
- what is proven last: `serving_proof`, by `server_proof`, and `version_drift`

Of `automation` it knows specs, sources, archives and artifacts, and must never know stacks.
"""
