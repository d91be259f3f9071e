"""What both shells do, the operator and `fairlead up`: one way for each thing. Effects come in through `adapters`."""
