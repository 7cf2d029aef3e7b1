import pytest

from components.capacity import ScalingSettings, capacity_problems, is_burstable, smallest_fleet


def scaling(minimum: int, maximum: int) -> ScalingSettings:
    return ScalingSettings(
        min_capacity=minimum,
        max_capacity=maximum,
        target_invocations_per_instance=70,
        scale_in_cooldown_seconds=300,
        scale_out_cooldown_seconds=60,
    )


@pytest.mark.parametrize("instance_type", ["ml.t2.medium", "ml.t3.large"])
def test_credit_based_types_are_burstable(instance_type: str) -> None:
    assert is_burstable(instance_type)


@pytest.mark.parametrize("instance_type", ["ml.m5.large", "ml.trn1.2xlarge", "ml.g5.xlarge"])
def test_other_types_are_not_burstable(instance_type: str) -> None:
    assert not is_burstable(instance_type)


def test_smallest_fleet_is_the_initial_count_without_autoscaling() -> None:
    assert smallest_fleet(3, None) == 3


def test_smallest_fleet_is_what_autoscaling_may_leave() -> None:
    assert smallest_fleet(3, scaling(1, 5)) == 1


def test_fixed_fleet_of_a_burstable_type_is_fine() -> None:
    assert capacity_problems("ml.t2.medium", 2, None) == []


@pytest.mark.parametrize(
    ("instance_type", "count", "bounds", "message"),
    [
        ("ml.t2.medium", 2, (1, 5), "minCapacity and maxCapacity are given, but instanceType"),
        ("ml.m5.large", 2, (5, 1), "minCapacity 5 is above maxCapacity 1"),
        ("ml.m5.large", 6, (1, 5), "initialInstanceCount 6 is outside minCapacity 1 and max"),
        ("ml.m5.large", 1, (2, 5), "initialInstanceCount 1 is outside minCapacity 2 and max"),
    ],
)
def test_what_aws_would_refuse_is_refused_first(
    instance_type: str, count: int, bounds: tuple[int, int], message: str
) -> None:
    (problem,) = capacity_problems(instance_type, count, scaling(*bounds))

    assert problem.startswith(message)
