"""`hafta check`: rules about units, sequences, records and the machine, each with a code, a reason and a cure."""
