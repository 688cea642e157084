"""`python -m cutaway.native` compiles the kernels where the installation found no compiler."""

from cutaway.native.compile import main

main()
