# The published recipe for a scikit-learn model in a container of one's own, as AWS CLI commands.
# `docker build` and `docker push` are `greenlight rehearsal image add`; nothing else is rehearsal's.
# Each step has a name, and tests/e2e/test_published_recipe.py runs them one after another.
#
# Source: Developer Guide, "Adapt your own inference container for Amazon SageMaker AI"; "Deploy
#     models for real-time inference", AWS CLI; "Configure model auto scaling with the AWS CLI";
#     amazon-sagemaker-examples, scikit_bring_your_own; read 2026.

### account
account=$(aws sts get-caller-identity --query Account --output text)
bucket=sagemaker-iris-$account
registry=$account.dkr.ecr.$AWS_REGION.amazonaws.com

### artifact
aws s3 mb "s3://$bucket"
tar -czf models/v1/model.tar.gz model.pkl
aws s3 cp models "s3://$bucket/models" --recursive --no-progress

### image
aws ecr create-repository --repository-name sagemaker-iris --query repository.repositoryUri
greenlight rehearsal image add "$registry/sagemaker-iris:flask" "$FLASK_CONTEXT"
greenlight rehearsal image add "$registry/sagemaker-iris:greenlight" "$GREENLIGHT_CONTEXT"
aws ecr describe-images --repository-name sagemaker-iris --query 'imageDetails[].imageTags[]'

### role
aws iam create-role --role-name sagemaker-iris --assume-role-policy-document '{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                 "Principal": {"Service": "sagemaker.amazonaws.com"}}]}'
aws iam attach-role-policy --role-name sagemaker-iris \
  --policy-arn arn:aws:iam::aws:policy/AmazonSageMakerFullAccess
role=arn:aws:iam::$account:role/sagemaker-iris

### model
aws sagemaker create-model --model-name iris-v1 --execution-role-arn "$role" \
  --primary-container "Image=$registry/sagemaker-iris:flask,ModelDataUrl=s3://$bucket/models/v1/model.tar.gz"
aws sagemaker create-endpoint-config --endpoint-config-name iris-v1 --production-variants \
  VariantName=AllTraffic,ModelName=iris-v1,InitialInstanceCount=1,InstanceType=ml.m5.large,ContainerStartupHealthCheckTimeoutInSeconds=900

### endpoint
aws sagemaker create-endpoint --endpoint-name iris --endpoint-config-name iris-v1

### in-service
aws sagemaker wait endpoint-in-service --endpoint-name iris
aws sagemaker describe-endpoint --endpoint-name iris \
  --query '[EndpointStatus, EndpointConfigName, ProductionVariants[0].CurrentInstanceCount]' --output text

### invoke
aws sagemaker-runtime invoke-endpoint --endpoint-name iris --content-type application/json \
  --body '{"instances": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}' flask.json

### autoscaling
aws application-autoscaling register-scalable-target --service-namespace sagemaker \
  --resource-id endpoint/iris/variant/AllTraffic \
  --scalable-dimension sagemaker:variant:DesiredInstanceCount --min-capacity 1 --max-capacity 5
aws application-autoscaling put-scaling-policy --policy-name iris-invocations \
  --service-namespace sagemaker --resource-id endpoint/iris/variant/AllTraffic \
  --scalable-dimension sagemaker:variant:DesiredInstanceCount --policy-type TargetTrackingScaling \
  --target-tracking-scaling-policy-configuration '{
    "TargetValue": 70.0,
    "PredefinedMetricSpecification": {
      "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    "ScaleInCooldown": 300, "ScaleOutCooldown": 60}' --query 'Alarms[].AlarmName'

### update
aws sagemaker create-model --model-name iris-v2 --execution-role-arn "$role" \
  --primary-container "Image=$registry/sagemaker-iris:greenlight,ModelDataUrl=s3://$bucket/models/v2/model.tar.gz"
aws sagemaker create-endpoint-config --endpoint-config-name iris-v2 --production-variants \
  VariantName=AllTraffic,ModelName=iris-v2,InitialInstanceCount=1,InstanceType=ml.m5.large,ContainerStartupHealthCheckTimeoutInSeconds=900
aws sagemaker update-endpoint --endpoint-name iris --endpoint-config-name iris-v2 \
  --retain-all-variant-properties --deployment-config '{
    "BlueGreenUpdatePolicy": {
      "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
      "TerminationWaitInSeconds": 0}}'

### updated
aws sagemaker wait endpoint-in-service --endpoint-name iris
aws sagemaker describe-endpoint --endpoint-name iris \
  --query 'ProductionVariants[0].DeployedImages[0].ResolvedImage' --output text
aws sagemaker-runtime invoke-endpoint --endpoint-name iris --content-type application/json \
  --body '{"instances": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}' greenlight.json

### metrics
aws cloudwatch get-metric-statistics --namespace AWS/SageMaker --metric-name Invocations \
  --dimensions Name=EndpointName,Value=iris Name=VariantName,Value=AllTraffic \
  --start-time "$EARLIER" --end-time "$LATER" --period 86400 --statistics Sum \
  --query 'sum(Datapoints[].Sum)'
aws logs describe-log-streams --log-group-name /aws/sagemaker/Endpoints/iris \
  --query 'length(logStreams)'

### clean-up
aws application-autoscaling delete-scaling-policy --policy-name iris-invocations \
  --service-namespace sagemaker --resource-id endpoint/iris/variant/AllTraffic \
  --scalable-dimension sagemaker:variant:DesiredInstanceCount
aws application-autoscaling deregister-scalable-target --service-namespace sagemaker \
  --resource-id endpoint/iris/variant/AllTraffic \
  --scalable-dimension sagemaker:variant:DesiredInstanceCount
aws sagemaker delete-endpoint --endpoint-name iris

### deleted
aws sagemaker wait endpoint-deleted --endpoint-name iris
for version in iris-v1 iris-v2; do
  aws sagemaker delete-endpoint-config --endpoint-config-name "$version"
  aws sagemaker delete-model --model-name "$version"
done
aws ecr delete-repository --repository-name sagemaker-iris --force --query repository.repositoryName
aws s3 rb "s3://$bucket" --force
aws iam detach-role-policy --role-name sagemaker-iris \
  --policy-arn arn:aws:iam::aws:policy/AmazonSageMakerFullAccess
aws iam delete-role --role-name sagemaker-iris
