"""Why: explanations, exact counterfactuals and a policy's stages as text."""
