"""Export: a trained network is captured as a graph, lowered by passes, and written as a plan.

capture.py makes the graph (ir.py), passes/ rewrite it, lower.py runs them in order, encode.py and
decode.py turn it into the bytes of a plan and back, reference.py runs it by plain torch.
"""
