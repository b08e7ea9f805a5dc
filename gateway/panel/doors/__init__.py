"""How a request comes in: the listeners, what each must pass, and who may use which route."""
