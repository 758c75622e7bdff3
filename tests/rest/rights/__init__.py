"""The walk of the table of rights: who is who in it, what there is to reach, and what is asked."""
