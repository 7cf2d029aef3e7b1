"""What a role may do: IAM's policy evaluation over moto's roles and resources."""
