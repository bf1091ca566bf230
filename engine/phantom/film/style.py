"""How films are framed, exposed and developed: all of a picture that says nothing about the patient."""

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """Ranges from which every film draws its own values, uniformly.

    aspect: height over width. scale: size of the chest in the frame, 1 fills it. shift: offset of the chest,
    as a share of the frame. tilt: rotation of the picture, degrees. exposure: brightness offset.
    contrast: steepness of the tone curve. equalise: 0 keeps the tone curve, 1 is full histogram equalisation.
    noise: standard deviation of the grain, in shares of full brightness. bone, vessel: visibility.
    softness: blur radius in shares of the longer side.
    """

    aspect: Range = (0.82, 1.22)
    scale: Range = (0.90, 1.04)
    shift: Range = (-0.025, 0.025)
    tilt: Range = (-3.0, 3.0)
    exposure: Range = (-0.05, 0.05)
    contrast: Range = (0.90, 1.15)
    equalise: Range = (0.30, 0.60)
    noise: Range = (0.008, 0.020)
    bone: Range = (0.75, 1.15)
    vessel: Range = (0.75, 1.15)
    softness: Range = (0.0006, 0.0014)

    @classmethod
    def for_base(cls) -> "Style":
        """Another X-ray machine: wider, flatter and noisier than the default, to train a base model on."""
        return cls(
            aspect=(0.80, 1.25),
            scale=(0.80, 1.10),
            shift=(-0.05, 0.05),
            tilt=(-6.0, 6.0),
            exposure=(-0.12, 0.12),
            contrast=(0.70, 1.05),
            equalise=(0.0, 0.45),
            noise=(0.012, 0.035),
            bone=(0.60, 1.40),
            vessel=(0.60, 1.40),
            softness=(0.0008, 0.0024),
        )
