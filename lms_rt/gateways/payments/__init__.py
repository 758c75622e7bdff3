"""The services that take money: one contract, a module for each of them. No rules of ours, no documents but the sandbox's."""
