"""`hafta demo`: the main job in a terminal, with faults; what is seen for the first time is explained."""
