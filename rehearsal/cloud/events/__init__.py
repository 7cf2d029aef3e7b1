"""What the cloud tells EventBridge, and how it reaches the targets of rules."""
