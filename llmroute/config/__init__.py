"""Files in, checked data out: strict YAML with line marks, schemas, secrets, the workspace.

Nothing is imported here, so that one part costs only itself: take what is needed from
`llmroute.config.workspace` (reading a whole folder), `.yaml` and `.schema` (one file),
`.secrets`, `.expand`, `.durations`, `.shipped` and `.diagnostics`.
"""
