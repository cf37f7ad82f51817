"""The run file and the recipes it stands for, and what carries a whole run out."""
