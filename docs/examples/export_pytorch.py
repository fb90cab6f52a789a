"""Writes a PyTorch state_dict as safetensors: export_pytorch.py state.pt model.safetensors, or export(state, path)."""
import json, struct, sys
import torch

def export(state, path):
    arrays = {name: t.detach().cpu().contiguous().numpy() for name, t in state.items()}
    header, end, types = {}, 0, {"float32": "F32", "float64": "F64", "int64": "I64"}
    for name, a in arrays.items():
        header[name] = {"dtype": types[str(a.dtype)], "shape": a.shape, "data_offsets": [end, end + a.nbytes]}
        end += a.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for a in arrays.values()))

if __name__ == "__main__":
    export(torch.load(sys.argv[1], map_location="cpu", weights_only=True), sys.argv[2])
