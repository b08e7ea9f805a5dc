"""What stands in the audit file becomes audit messages and goes to an audit repository."""
