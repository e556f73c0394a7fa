"""The Lanczos filter as TensorFlow computes it: in float32, by the sine of the GNU C library."""

from __future__ import annotations

import numpy as np

from onnxprep.steps.image.arithmetic import Number
from onnxprep.steps.image.resize._floats.float32 import Float32, single

_PI = 3.14159265359
_S = tuple(map(float.fromhex, ("-0x1.555545995a603p-3", "0x1.1107605230bc4p-7", "-0x1.994eb3774cf24p-13")))
_C = tuple(
    map(
        float.fromhex,
        ("-0x1.ffffffd0c621cp-2", "0x1.55553e1068f19p-5", "-0x1.6c087e89a359dp-10", "0x1.99343027bf8c3p-16"),
    )
)
_QUARTERS, _QUARTER = float.fromhex("0x1.45F306DC9C883p-1"), float.fromhex("0x1.921FB54442D18p0")
"""Source: glibc 2.28 and later, sysdeps/ieee754/flt-32/s_sincosf_data.c."""


def lanczos(a: Float32, x: Number, radius: float) -> Number:
    """The filter at ``x`` >= 0, float32.

    Source: TensorFlow 2.21, core/kernels/image/sampling_kernels.h, LanczosKernelFunc.
    """
    some = a.Where(a.Less(single(1e-3), x), x, single(1))
    wide = a.Mul(single(_PI), some)
    product = a.Mul(a.Mul(single(radius), _sine(a, wide)), _sine(a, a.Div(wide, single(radius))))
    square = a.Mul(single(_PI), single(_PI))
    inside = a.Div(product, a.Mul(a.Mul(square, some), some))
    near = a.Where(a.Less(single(1e-3), x), inside, single(1))
    return a.Where(a.Less(single(radius), x), single(0), near)


def _sine(a: Float32, x: Number) -> Number:
    """``sinf`` of 2**-12 <= x < 120: a polynomial in float64 between two multiples of pi / 2, rounded once.

    Source: sysdeps/ieee754/flt-32/s_sinf.c, sinf_poly.h. Its fused form differs in the last bit of a float64.
    """
    y = a.double(x)
    n = a.Floor(a.Add(a.Mul(y, _f(_QUARTERS)), _f(0.5)))
    n = a.Where(a.Less(x, single(np.pi / 4)), _f(0), n)
    half = a.Floor(a.Mul(n, _f(0.5)))
    odd = a.Sub(n, a.Add(half, half))  # 0 or 1
    turned = a.Sub(half, a.Mul(_f(2), a.Floor(a.Mul(half, _f(0.5)))))  # 0 or 1
    sign = a.Sub(_f(1), a.Add(turned, turned))
    y = a.Sub(y, a.Mul(n, _f(_QUARTER)))
    square = a.Mul(y, y)
    cube = a.Mul(y, square)
    sine = a.Add(y, a.Mul(cube, _f(_S[0])))
    sine = a.Add(sine, a.Mul(a.Mul(cube, square), a.Add(_f(_S[1]), a.Mul(square, _f(_S[2])))))
    fourth = a.Mul(square, square)
    cosine = a.Add(a.Add(_f(1), a.Mul(square, _f(_C[0]))), a.Mul(fourth, _f(_C[1])))
    last = a.Add(_f(_C[2]), a.Mul(square, _f(_C[3])))
    cosine = a.Add(cosine, a.Mul(a.Mul(fourth, square), last))
    return a.single(a.Mul(sign, a.Where(a.Equal(odd, _f(1)), cosine, sine)))


def _f(value: float) -> Number:
    return np.array(value, np.float64)
