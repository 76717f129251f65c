"""`invokeai_py_client.quick` of client 1.1, which this client does not have."""

from invokeai_py_client.earlier import with_submodules, without

__getattr__ = without(
    __name__,
    {
        "QuickClient": "It ran workflows of its own. For text to image run one of the server's: "
        "client.workflow_repo.create_workflow(client.workflow_repo.download_workflow('Text to Image - SDXL')). "
        "To copy an image: client.image_repo.copy_image(name)."
    },
)

with_submodules(__name__, "quick_client")
