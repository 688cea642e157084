"""Pictures of plain numbers, by matplotlib."""
