"""Cripto Prediction API: honest, real-time predictions for any crypto asset."""
