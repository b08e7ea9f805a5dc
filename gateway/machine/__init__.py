"""What root does on an appliance for the people at its screen. Imports neither panel nor capture nor forward."""
