"""The `fairlead up` shell: YAML files in, local Envoys out."""
