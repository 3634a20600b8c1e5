"""The cast: children are the body model's children, in the picture and in the truth."""

import numpy as np
import torch

from choros.body import BodyModel
from choros.scenes import SceneConfig, make_scene
from choros.scenes.people.actors import BodyMaker


def test_rest_of_a_child_is_the_body_models_own():
    body, betas = BodyModel.load(), np.linspace(-1, 1, 10)
    params = body.neutral()._replace(betas=torch.tensor(betas, dtype=torch.float32), kid=torch.tensor(0.7))
    rest = BodyMaker().rest(betas, 0.7)
    np.testing.assert_allclose(rest.skin.points, body.vertices(params).numpy(), atol=1e-6)
    np.testing.assert_allclose(rest.face, body.keypoints(params).numpy(), atol=1e-6)
    adult = BodyMaker().rest(betas)
    stature = [np.ptp(r.skin.points[:, 1]) for r in (rest, adult)]
    assert stature[0] < 0.9 * stature[1]


def test_children_are_told_by_the_truth():
    config = SceneConfig(width=96, height=96, seconds=0.08, people=2, children=1.0)
    scene = make_scene("easy", 3, config)
    assert all(0.4 <= actor.kid <= 1 for actor in scene.actors)
    body = BodyModel.load()
    for row in scene.truth.rows:
        actor = scene.actors[row["person"] - 1]
        np.testing.assert_allclose(row["kid"], actor.kid, atol=1e-6)
        params = body.neutral()._replace(
            betas=torch.tensor(row["betas"]), kid=torch.tensor(float(row["kid"]))
        )
        np.testing.assert_allclose(
            body.rest_joints(params.betas, params.kid).numpy(), actor.rest.joints, atol=1e-5
        )


def test_no_children_unless_asked():
    scene = make_scene("easy", 3, SceneConfig(width=96, height=96, seconds=0.08, people=2))
    assert [actor.kid for actor in scene.actors] == [0, 0]
