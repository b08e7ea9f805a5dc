"""Whether another system answers as it is about to be configured: asked by a person, answered in words."""
