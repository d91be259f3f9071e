"""Three regions as network namespaces, a provider, a gateway and an observer in each, and what goes wrong there."""
