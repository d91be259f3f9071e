"""What users write: pydantic models of resources and installation file, strict decoding, problems, conditions, CRDs.

Belongs here: the shape of a value and rules that one object can be judged by alone. Does not: anything that needs a
second object (that is `translate`), and anything with an effect.
"""
