"""The provincial report: one content, written as DOCX, PDF and XLSX in two languages."""
