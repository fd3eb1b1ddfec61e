"""The Streamlit pages, their components and their texts."""
