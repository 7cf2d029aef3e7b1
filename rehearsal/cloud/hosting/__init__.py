"""SageMaker hosting: models, endpoint configs, endpoints and the deployments between them."""
