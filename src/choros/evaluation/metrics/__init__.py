"""The field's metrics as plain functions on plain arrays; one module per question asked."""
