"""Positional encodings and perceptrons against closed forms."""

import math

import torch

from choros.layers.perceptron import perceptron
from choros.layers.positions import cell_centres, sinusoids


def test_sinusoids_of_a_number():
    encoded = sinusoids(torch.tensor([0.25, -1.0]), 2)
    r = math.sqrt(0.5)
    expected = [0.25, r, 1.0, r, 0.0, -1.0, 0.0, 0.0, -1.0, 1.0]
    torch.testing.assert_close(encoded, torch.tensor(expected), atol=1e-6, rtol=0)


def test_cells_are_encoded_at_their_centres_row_by_row():
    encoded = sinusoids(cell_centres(2, 3, stride=8, size_px=32, like=torch.zeros(1)), bands=4)
    centres = [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]
    torch.testing.assert_close(encoded, sinusoids(torch.tensor(centres) / 32, 4))


def test_neighbouring_cells_of_a_large_image_are_told_apart():
    encoded = sinusoids(cell_centres(1, 64, stride=8, size_px=512, like=torch.zeros(1)), bands=8)
    assert (encoded[1:] - encoded[:-1]).norm(dim=-1).min() > 1


def test_a_perceptron_begins_with_answers_of_the_asked_size():
    torch.manual_seed(0)
    answers = perceptron(8, 512, 1000, out_scale=0.1)(torch.randn(20, 8))
    assert 0.03 < answers.std() < 0.1
