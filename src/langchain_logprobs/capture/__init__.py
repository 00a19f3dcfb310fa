"""1. Which run is this, and what did it receive? The modules that know LangChain's callbacks."""
