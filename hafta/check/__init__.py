"""`hafta check`: rules about units, each with a code, a reason and a cure."""
