"""ONNX models on ONNX Runtime GenAI, for Camelid."""

__all__ = ()
