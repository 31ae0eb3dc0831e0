"""What every room needs and no user asks for: messages, files, JSON, versions of other libraries."""
