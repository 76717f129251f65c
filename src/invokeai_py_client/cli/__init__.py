"""`invokeai-client`: the command line. One module for each noun, which is imported when its command is used."""
