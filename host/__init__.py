"""The ComfyUI that the tests, the demo and the bench run against: found or installed, started, talked to.

Nothing here is part of the node pack; ComfyUI never imports this folder. Standard library only.
"""
